"use strict";
// The browser of metrics/browser: reads data/*.js, filters, searches, shows a page. browser.py writes and describes the data.
// Texts of data sets and models reach the page through textContent alone.

const PAGE = 20; // entries
const SHOWN = 1200; // characters of a text before the button that shows the rest
const VIEWS = {
  replies: { texts: ["thought", "answer"], one: "prompt", scope: "also in the replies", all: "all replies to this prompt" },
  questions: { texts: ["thought", "answer"], one: "question", scope: "also in STAR-1's answers", all: "this question alone" },
};
const $ = (id) => document.getElementById(id);
const form = document.forms[0];
const read = {}; // name -> promise of a file's value
const arrived = {}; // name -> a file's value
let drawing = 0; // the number of the latest drawing: an older one that waits for a file gives up

window.star1 = (name, value) => { arrived[name] = value; };

function file(name) {
  read[name] ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `data/${name}.js`;
    script.onload = () => resolve(arrived[name]);
    script.onerror = () => reject(new Error(`data/${name}.js cannot be read; is the whole folder here?`));
    document.head.append(script);
  });
  return read[name];
}

// What is asked for stands in the address behind #, so that a link leads to it and Back works.
function state() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const view = Object.hasOwn(VIEWS, asked.get("view") ?? "") ? asked.get("view") : "replies";
  return { asked, view, page: Math.max(1, Number.parseInt(asked.get("page"), 10) || 1) };
}

function go(changes, replace = false) {
  const { asked } = state();
  asked.delete("page");
  for (const [name, value] of Object.entries(changes)) value ? asked.set(name, value) : asked.delete(name);
  if (replace) history.replaceState(null, "", `#${asked}`);
  else history.pushState(null, "", `#${asked}`);
  return draw();
}

// Characters that would hide or reorder text are spelled out, as in the report; the two joiners inside words stay.
function visible(text) {
  return text.replaceAll("\r\n", "\n").replace(/\p{Zs}/gu, " ").replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) =>
    "\n\t\u200c\u200d".includes(character) ? character
      : `⟨U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

const whole = (text) => (Array.isArray(text) ? text[0] : text ?? "");
const count = (number) => number.toLocaleString("en");

function element(tag, className, text, parent) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = visible(text);
  parent?.append(made);
  return made;
}

// A text that may be long: its beginning, a button for the rest, and a word if the data holds a part of it only.
function print(text, className, parent) {
  const given = whole(text), shown = element("p", className, given.slice(0, SHOWN), parent);
  shown.dir = "auto";
  const cut = Array.isArray(text) ? `… cut here, ${count(text[1])} characters in all` : "";
  if (given.length > SHOWN) {
    const more = element("button", "", `show ${count(given.length - SHOWN)} characters more`, shown);
    more.type = "button";
    more.onclick = () => { shown.textContent = visible(given); element("span", "cut", cut, shown); };
  }
  element("span", "cut", cut, shown);
}

function low(index) { // the index's texts and names in lower case, made once
  index.low ??= index.heads.map(([id, text]) => `${id}\n${whole(text)}`.toLowerCase());
  return index.low;
}

function lowTexts(chunk) {
  chunk.low ??= chunk.map(([one, other]) => `${whole(one)}\n${whole(other)}`.toLowerCase());
  return chunk.low;
}

// The numbers of the entries that fit the fields, the one prompt asked for, and the words searched for.
function found(index, asked, view) {
  const tests = [];
  for (const [name, field] of Object.entries(index.fields)) {
    if (!asked.has(name)) continue;
    const number = field.names.indexOf(asked.get(name)), of = field.of;
    tests.push((entry) => (Array.isArray(of[entry]) ? of[entry].includes(number) : of[entry] === number && number >= 0));
  }
  if (asked.has("id")) tests.push((entry) => index.heads[index.head[entry]][0] === asked.get("id"));
  const words = (asked.get("q") ?? "").toLowerCase();
  if (words) {
    const heads = low(index).map((text) => text.includes(words));
    const inTexts = asked.has("texts");
    tests.push((entry) => {
      if (heads[index.head[entry]]) return true;
      const chunk = inTexts && arrived[`${view}-${Math.floor(entry / index.per_file)}`];
      return chunk && lowTexts(chunk)[entry % index.per_file].includes(words);
    });
  }
  const entries = [];
  for (let entry = 0; entry < index.head.length; entry++) if (tests.every((test) => test(entry))) entries.push(entry);
  return entries;
}

async function readTexts(index, view) { // all files of texts, saying how far it is
  const files = Math.ceil(index.head.length / index.per_file);
  for (let number = 0; number < files; number++) {
    if (!arrived[`${view}-${number}`]) {
      $("count").textContent = `Reading ${number + 1} of ${files} files …`;
      await file(`${view}-${number}`);
    }
    lowTexts(arrived[`${view}-${number}`]);
  }
}

function drawFields(index, asked, view) {
  if (form.dataset.view !== view) {
    form.dataset.view = view;
    form.querySelectorAll(".field").forEach((label) => label.remove());
    for (const [name, { names }] of Object.entries(index.fields)) {
      if (!names.length) continue;
      const label = element("label", "field", name[0].toUpperCase() + name.slice(1), form);
      const select = element("select", "", undefined, label);
      select.name = name;
      select.append(new Option("all", ""));
      for (const each of names) select.append(new Option(visible(each), each));
      select.onchange = () => go({ [name]: select.value });
    }
  }
  form.querySelectorAll("select").forEach((select) => { select.value = asked.get(select.name) ?? ""; });
}

function names(field, entry) {
  return [field.of[entry]].flat().filter((number) => number >= 0).map((number) => field.names[number]);
}

function drawEntry(index, view, entry, texts, parent) {
  const article = element("article", "", undefined, parent), kind = element("div", "kind", undefined, article);
  const [id, text] = index.heads[index.head[entry]];
  for (const [name, field] of Object.entries(index.fields)) {
    const values = names(field, entry), joined = values.join(", ");
    if (!joined) continue;
    const said = element("span", name === "verdict" ? "verdict" : "", undefined, kind);
    if (name === "verdict") element("i", `v-${joined.replaceAll(" ", "-")}`, "", said);
    said.append(visible(joined));
  }
  if (index.sample?.[entry]) element("span", "", `sample ${index.sample[entry]}`, kind);
  element("code", "", id, kind);
  if (state().asked.get("id") !== id) {
    const all = element("button", "", VIEWS[view].all, kind);
    all.type = "button";
    all.onclick = () => { history.pushState(null, "", `#${new URLSearchParams({ view, id })}`); draw(); scrollTo(0, 0); };
  }
  print(text, "prompt", article);
  const box = element("div", "reply", undefined, article), [facts] = texts.slice(VIEWS[view].texts.length);
  VIEWS[view].texts.forEach((name, number) => {
    if (!whole(texts[number])) return;
    element("p", "label", name, box);
    print(texts[number], name === "thought" ? "thinking" : "answer", box);
  });
  if (view === "replies" && !whole(texts[0]) && !whole(texts[1])) element("p", "answer", "(empty)", box);
  facts.forEach((fact) => { element("p", "facts", fact, box); });
  if (view === "questions") element("p", "facts", `star1 trace ${id} tells its whole life`, box);
}

async function draw() {
  const mine = ++drawing, { asked, view, page } = state();
  try {
    const index = await file(view);
    if (mine !== drawing) return;
    document.querySelectorAll("[data-view]").forEach((b) => b.setAttribute("aria-pressed", b.dataset.view === view));
    drawFields(index, asked, view);
    $("scope").textContent = VIEWS[view].scope;
    if (document.activeElement !== form.q) form.q.value = asked.get("q") ?? "";
    form.texts.checked = asked.has("texts");
    if (asked.has("texts")) await readTexts(index, view);
    if (mine !== drawing) return;
    const entries = found(index, asked, view), pages = Math.max(1, Math.ceil(entries.length / PAGE));
    const here = Math.min(page, pages), shown = entries.slice((here - 1) * PAGE, here * PAGE);
    const per = index.per_file, wanted = [...new Set(shown.map((entry) => Math.floor(entry / per)))];
    await Promise.all(wanted.map((number) => file(`${view}-${number}`)));
    if (mine !== drawing) return;
    const list = new DocumentFragment();
    for (const entry of shown) drawEntry(index, view, entry, arrived[`${view}-${Math.floor(entry / per)}`][entry % per], list);
    if (!shown.length) element("p", "fine", "Nothing fits. Take a filter away, or search for a part of the word.", list);
    $("list").replaceChildren(list);
    $("count").textContent = `${count(entries.length)} of ${count(index.head.length)} ${view}`;
    $("page").textContent = `page ${count(here)} of ${count(pages)}`;
    [$("previous").disabled, $("next").disabled] = [here <= 1, here >= pages];
    $("previous").onclick = () => go({ page: String(here - 1) }).then(() => scrollTo(0, 0));
    $("next").onclick = () => go({ page: String(here + 1) }).then(() => scrollTo(0, 0));
    $("only").hidden = !asked.has("id");
    $("only").textContent = visible(`${VIEWS[view].one} ${asked.get("id")} ✕`);
    $("only").onclick = () => go({ id: "" });
  } catch (problem) {
    if (mine === drawing) $("count").textContent = problem.message;
  }
}

form.onsubmit = (event) => event.preventDefault();
form.q.oninput = () => go({ q: form.q.value }, true);
form.texts.onchange = () => go({ texts: form.texts.checked ? "1" : "" });
document.querySelectorAll("[data-view]").forEach((button) => {
  button.onclick = () => { history.pushState(null, "", `#view=${button.dataset.view}`); form.q.value = ""; draw(); };
});
addEventListener("popstate", draw);
draw();
