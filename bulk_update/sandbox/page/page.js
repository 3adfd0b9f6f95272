"use strict";
const API = "/_sandbox/";
const KINDS = {
  over_limit: "over the rate limit",
  repeated_ids: "an id twice in a request",
  overlapping_ids: "an id in two requests at once",
  out_of_order: "a change out of order",
  credentials_in_body: "credentials in a body",
};
const at = (id) => document.getElementById(id);
let last = 0, chosen = null, seen = null, writing = 0;

// Everything shown is text that came from elsewhere: it is set as text, never as HTML.
function make(name, properties, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}
function tag(text, kind) { return make("span", { className: `tag ${kind || ""}` }, text); }

async function ask(path, options) {
  const answer = await fetch(API + path, options);
  if (!answer.ok) throw new Error((await answer.json()).error);
  return answer.text();
}
// Numbers stay as they stood: JSON.parse would round what is beyond 2^53.
async function askParsed(path, options) { return JSON.parse(await ask(path, options)); }

function time(ms) { return ms === null ? "" : new Date(ms).toLocaleTimeString([], { hour12: false }); }
function number(n) { return n.toLocaleString("en"); }

function showCounts(told) {
  const s = told.statistics;
  const counts = [
    ["records", told.records, ""], ["requests", s.requests, ""], ["updated", s.updated, "good"],
    ["failed", s.failed, s.failed ? "warn" : ""], ["refused", s.refused, s.refused ? "warn" : ""],
    ["dropped", s.dropped, s.dropped ? "warn" : ""], ["faults", s.faults, s.faults ? "warn" : ""],
    ["violations", s.violations, s.violations ? "bad" : "good"],
  ];
  at("counts").replaceChildren(...counts.map(([name, count, kind]) =>
    make("div", { className: `count ${kind}` }, make("b", {}, number(count)), make("span", {}, name))));
  const limits = [...told.limits.key.map((l) => `${l} a key`), ...told.limits.organization.map((l) => `${l} an organization`)];
  at("state").textContent = [location.host, limits.length ? `limit ${limits.join(", ")}` : "no rate limit",
    told.faults ? `faults: ${told.faults}` : "no faults"].join(" · ");
  at("state").className = "";
}

function showViolations(told) {
  at("kinds").replaceChildren(...Object.entries(KINDS).map(([kind, words]) => {
    const count = told.statistics.manners[kind];
    return make("li", {}, make("span", { className: count ? "" : "none" }, words),
      make("b", { className: count ? "some" : "none" }, number(count)));
  }));
  at("examples").replaceChildren(...told.violations.slice(-30).reverse().map((each) =>
    make("li", {}, `#${each.request} ${KINDS[each.kind]}`, each.id ? make("code", {}, ` ${each.organization} / ${each.id}`) : "")));
}

function showOrganizations(organizations) {
  const known = JSON.stringify(organizations);
  if (known === showOrganizations.known) return;
  showOrganizations.known = known;
  const select = at("organization"), value = select.value;
  select.replaceChildren(make("option", { value: "" }, "all organizations"), ...Object.entries(organizations).slice(0, 500)
    .map(([name, count]) => make("option", { value: name }, `${name} (${number(count)})`)));
  select.value = value in organizations ? value : "";
}

async function search() {
  const query = new URLSearchParams({ text: at("text").value, organization: at("organization").value });
  const { records } = await askParsed(`records?${query}`);
  at("found").replaceChildren(...records.map((record) => {
    const key = JSON.stringify([record.organization, record.id]);
    const row = make("button", { type: "button", onclick: () => inspect(record) }, make("code", {}, record.id),
      make("small", {}, record.organization), record.updates ? tag(`${record.updates} ×`, "accent") : tag("as seeded"));
    row.setAttribute("aria-current", String(key === chosen));
    row.dataset.key = key;
    return make("li", {}, row);
  }));
  if (!records.length) at("found").append(make("li", { className: "empty" }, "\u2002No record has this in its id."));
}

async function inspect({ organization, id }) {
  chosen = JSON.stringify([organization, id]);
  for (const row of at("found").querySelectorAll("button")) row.setAttribute("aria-current", String(row.dataset.key === chosen));
  const text = await ask(`record?${new URLSearchParams({ organization, id })}`);
  if (chosen !== JSON.stringify([organization, id])) return;
  const told = split(text);
  const history = elements(told.history).map(split);
  at("inspected").replaceChildren(make("h2", {}, "State and history"),
    make("p", { className: "name" }, make("code", {}, id), " ", make("small", {}, organization)),
    make("div", { className: "body" }, make("h3", {}, "Now"),
      told.record === "null" ? make("p", { className: "empty" }, "It was deleted.") : pretty(told.record),
      make("h3", {}, "History, newest first"),
      make("div", {}, ...history.reverse().map((event) => make("div", { className: "event" },
        make("p", {}, tag(JSON.parse(event.kind), event.kind === '"update"' ? "accent" : ""),
          make("small", {}, event.request === "null" ? "by a seed" : `by request #${event.request}, ${time(JSON.parse(event.time))}`)),
        event.body === "null" ? "" : pretty(event.body))))));
}

// ---- JSON as text: members of an object, elements of an array, and layout, each value as it stood
function* tokens(text) { for (const match of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g)) yield match; }
function pieces(text, isEnd) {
  const found = []; let depth = 0, start = null;
  for (const { 0: token, index } of tokens(text)) {
    if ("}]".includes(token)) depth--;
    if (depth === 0 || (depth === 1 && token === ",")) { if (start !== null) found.push(text.slice(start, index).trim()); start = null; }
    else if (start === null) start = index;
    if ("{[".includes(token)) depth++;
  }
  return found;
}
function elements(text) { return pieces(text); }
function split(text) {
  return Object.fromEntries(pieces(text).map((member) => {
    const name = /^"(?:[^"\\]|\\.)*"/.exec(member)[0];
    return [JSON.parse(name), member.slice(name.length).replace(/^\s*:\s*/, "")];
  }));
}
function pretty(text) {
  const pre = make("pre"); let depth = 0, before = "";
  const list = [...tokens(text)].map((match) => match[0]);
  list.forEach((token, i) => {
    const next = list[i + 1] || "";
    if ("}]".includes(token) && !"{[".includes(before)) pre.append("\n" + "  ".repeat(--depth)); else if ("}]".includes(token)) depth--;
    else if (before === "," || (before !== "" && "{[".includes(before))) pre.append("\n" + "  ".repeat(depth));
    const kind = next === ":" ? "key" : token.startsWith('"') ? "text" : /^[{}[\],:]$/.test(token) ? "" : "value";
    pre.append(kind ? make("span", { className: kind }, token) : token, token === ":" ? " " : "");
    if ("{[".includes(token)) depth++;
    before = token;
  });
  return pre;
}

// ---- requests
function answerOf(entry) {
  if (entry.status === null) return tag("closed", "bad");
  return tag(String(entry.status), entry.status === 200 ? (entry.failed ? "warn" : "good") : "bad");
}
function rowOf(entry) {
  const what = make("td", { className: "what" }, ...entry.faults.map((name) => tag(name, "warn")),
    ...entry.violations.map((kind) => tag(KINDS[kind], "bad")), entry.error ? make("small", {}, ` ${entry.error}`) : "");
  return make("tr", { className: "fresh" }, make("td", {}, number(entry.number)), make("td", {}, time(entry.time)),
    make("td", {}, make("code", {}, `${entry.method === "POST" ? "" : entry.method + " "}${entry.path.replace("/v2/activities/", "")}`)),
    make("td", {}, entry.organization || ""), make("td", { className: "n" }, number(entry.activities)),
    make("td", { className: "n" }, number(entry.updated)), make("td", { className: "n" }, number(entry.failed)),
    make("td", {}, answerOf(entry)), make("td", { className: "n" }, (entry.seconds * 1000).toFixed(1)), what);
}
async function showRequests(count) {
  if (count < seen) { last = 0; at("log").replaceChildren(); }
  if (count === seen) return;
  seen = count;
  const { requests } = await askParsed(`requests?after=${last}&limit=200`);
  if (requests.length) last = requests[0].number;
  at("log").prepend(...requests.map(rowOf));
  while (at("log").childElementCount > 200) at("log").lastElementChild.remove();
  at("quiet").hidden = at("log").childElementCount > 0;
  await search();
  if (chosen) { const [organization, id] = JSON.parse(chosen); await inspect({ organization, id }); }
}

// ---- faults
function showFaults(told) {
  const name = told.faults.name || "", active = name.split("+").filter((each) => each in told.presets);
  at("presets").replaceChildren(...["none", ...Object.keys(told.presets)].map((preset) => {
    const on = preset === "none" ? !(told.faults.rules || []).length : active.includes(preset);
    const button = make("button", { type: "button", onclick: () => switchTo(preset, active) }, preset);
    button.setAttribute("aria-pressed", String(on));
    return button;
  }));
  const rules = told.faults.rules || [];
  at("rules").replaceChildren(...rules.map((rule, i) => {
    const label = rule.name || `rule ${i + 1}`, hits = told.hits[label] || 0;
    return make("li", {}, make("span", { className: hits ? "" : "none" }, label), make("b", { className: hits ? "" : "none" }, number(hits)));
  }));
  if (document.activeElement !== at("seed")) at("seed").value = told.faults.seed || 0;
}
async function switchTo(preset, active) {
  const on = preset === "none" ? [] : active.includes(preset) ? active.filter((each) => each !== preset) : [...active, preset];
  const body = on.length ? JSON.stringify({ preset: on.join("+"), seed: Number(at("seed").value) || 0 }) : "";
  writing++;
  try { showFaults(await askParsed("faults", { method: "PUT", body })); } finally { writing--; }
}

async function refresh() {
  try {
    const told = await askParsed("statistics");
    showCounts(told); showViolations(told); showOrganizations(told.organizations);
    await showRequests(told.statistics.requests);
    const faults = await askParsed("faults");
    if (!writing) showFaults(faults);
  } catch (error) {
    at("state").textContent = `the sandbox does not answer: ${error.message}`;
    at("state").className = "lost";
  }
  setTimeout(refresh, document.hidden ? 5000 : 1000);
}
at("text").oninput = search;
at("organization").onchange = search;
document.querySelector("form").onsubmit = (event) => event.preventDefault();
at("reset").onclick = async () => {
  if (!confirm("Forget every record, and all that happened to them?")) return;
  chosen = null;
  await ask("reset", { method: "POST" });
  seen = null; last = 0;
  at("log").replaceChildren();
  at("inspected").replaceChildren(make("h2", {}, "State and history"), make("p", { className: "empty" }, "Choose a record."));
  await search();
};
search().then(refresh);
