"use strict";
// Everything that people wrote is put into the page as text, never as markup.

const EVERY_MS = 2000;
const find = (id) => document.getElementById(id);
const here = location.href.replace(/\/?([?#].*)?$/, "");
let shown = { lessons: [], people: [], guesses: [] };

function element(tag, text, className, attributes = {}) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function titleOf(name) {
  const lesson = shown.lessons.find((each) => each.name === name);
  return lesson ? lesson.title : name;
}

function showRoom() {
  const begun = shown.lessons.filter((lesson) =>
    shown.people.some((person) => person.notebook === lesson.name || person.done[lesson.name]));
  find("head").replaceChildren(element("th", "Learner", "", { scope: "col" }),
    ...begun.map((lesson) => element("th", lesson.name.slice(0, 2), "", { scope: "col", title: lesson.title })));
  find("people").replaceChildren(...shown.people.map((person) => rowOf(person, begun)));
  find("sums").replaceChildren(element("th", "all of them", "", { scope: "row" }), ...begun.map((lesson) =>
    element("td", String(shown.people.filter((each) => isDone(each, lesson)).length))));
  const stuck = shown.people.filter((person) => person.stuck);
  stuck.sort((one, other) => other.stuck.minutes - one.stuck.minutes);
  find("stuck-title").hidden = stuck.length === 0;
  find("stuck").replaceChildren(...stuck.map(cardOf));
}

function isDone(person, lesson) {
  return lesson.exercises > 0 && (person.done[lesson.name] || 0) >= lesson.exercises;
}

function rowOf(person, begun) {
  const row = element("tr", undefined, person.quiet_min ? "quiet" : "");
  const name = person.quiet_min ? `${person.name} (quiet for ${person.quiet_min} min)` : person.name;
  row.append(element("th", name, "", { scope: "row" }));
  for (const lesson of begun) {
    const passed = person.done[lesson.name] || 0;
    const done = isDone(person, lesson);
    const kinds = [done ? "done" : passed ? "" : "none", person.notebook === lesson.name ? "here" : ""];
    const text = done ? `✓ ${passed}` : passed ? `${passed} of ${lesson.exercises}` : "·";
    const cell = element("td", text, kinds.filter(Boolean).join(" "));
    if (person.notebook === lesson.name) cell.title = "is here now";
    row.append(cell);
  }
  return row;
}

function cardOf(person) {
  const card = element("li");
  const { notebook, exercise, tries, minutes, said } = person.stuck;
  card.append(element("strong", person.name), element("span",
    `${titleOf(notebook)} · ${exercise.replaceAll("_", " ")} · ${tries} tries, ${minutes} min`, "where"),
    element("span", said || "Not yet."));
  return card;
}

function showGuesses() {
  const list = find("which"), chosen = list.value;
  const names = shown.guesses.map((each) => `${each.notebook}/${each.name}`);
  if (names.join() !== [...list.options].map((each) => each.value).join()) {
    list.replaceChildren(...shown.guesses.map((each) => element("option",
      `${titleOf(each.notebook)}: ${each.name.replaceAll("_", " ")}`, "", { value: `${each.notebook}/${each.name}` })));
    if (names.includes(chosen)) list.value = chosen;
  }
  const guess = shown.guesses.find((each) => `${each.notebook}/${each.name}` === list.value);
  find("no-guess").hidden = Boolean(guess);
  const most = guess ? Math.max(...guess.answers.map((each) => each.people)) : 1;
  find("bars").replaceChildren(...(guess ? guess.answers : []).map((each) => {
    const line = element("li", undefined, each.right ? "right" : "");
    const bar = element("span", undefined, "bar");
    bar.style.width = `${(100 * each.people) / most}%`;
    line.append(element("span", each.guess, "answer"), bar, element("span", String(each.people), "number"));
    return line;
  }));
}

function show() {
  const people = shown.people.length;
  const passed = shown.people.reduce((sum, person) =>
    sum + Object.values(person.done).reduce((one, other) => one + other, 0), 0);
  find("summary").textContent = people
    ? `${people} ${people === 1 ? "learner" : "learners"}, ${passed} exercises passed.`
    : "Nobody has joined yet.";
  showRoom();
  showGuesses();
}

async function look() {
  try {
    const answer = await fetch("state", { cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    shown = await answer.json();
    show();
  } catch {
    find("summary").textContent = "The board does not answer. What stands here is old.";
  }
  setTimeout(look, EVERY_MS);
}

for (const button of document.querySelectorAll("[data-view]")) {
  button.addEventListener("click", () => {
    for (const each of document.querySelectorAll("[data-view]")) {
      const isChosen = each === button;
      each.setAttribute("aria-pressed", String(isChosen));
      find(each.dataset.view).hidden = !isChosen;
    }
  });
}
find("which").addEventListener("change", () => {
  reveal(false);
  showGuesses();
});
function reveal(on) {
  find("bars").classList.toggle("revealed", on);
  find("reveal").setAttribute("aria-pressed", String(on));
}
find("reveal").addEventListener("click", () => reveal(find("reveal").getAttribute("aria-pressed") !== "true"));
find("line").textContent = here.includes("/services/") ? "course.join()" : `course.join("${here}")`;
look();
