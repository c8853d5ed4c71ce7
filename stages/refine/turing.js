"use strict";
const WORDS = ["real", "made"];
const PAUSE = 200; // ms; a double click shall not answer two images
const test = JSON.parse(document.getElementById("test").textContent);
const total = test.images.length;
const byId = (id) => document.getElementById(id);

/* Chance: exact binomial probabilities, summed as logarithms. */

function logFactorials(n) {
  const sums = [0];
  for (let i = 1; i <= n; i++) sums.push(sums[i - 1] + Math.log(i));
  return sums;
}

// P(from <= X <= to) for X of Binomial(n, p), 0 < p < 1.
function binomialMass(from, to, n, p) {
  const logs = logFactorials(n);
  let mass = 0;
  for (let i = from; i <= to; i++) {
    mass += Math.exp(logs[n] - logs[i] - logs[n - i] + i * Math.log(p) + (n - i) * Math.log1p(-p));
  }
  return Math.min(mass, 1);
}

// P(X >= right) when every answer is a guess: the one-sided exact test.
function pValue(right, n) {
  return binomialMass(right, n, n, 0.5);
}

// The share p in (0, 1) where the rising function of p crosses 0.025.
function crossing(rising) {
  let low = 0, high = 1;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (rising(middle) < 0.025) low = middle; else high = middle;
  }
  return (low + high) / 2;
}

// The two-sided 95 % interval of a share after Clopper and Pearson.
function interval(right, n) {
  return [
    right === 0 ? 0 : crossing((p) => binomialMass(right, n, n, p)),
    right === n ? 1 : 1 - crossing((q) => binomialMass(0, right, n, 1 - q)),
  ];
}

/* The order: drawn from the page's number and the name, so that a reload keeps it. */

// FNV-1a, 32 bits.
function hash(text) {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 0x01000193);
  return value >>> 0;
}

// Numbers in [0, 1) by Marsaglia's xorshift, 32 bits.
function randomNumbers(seed) {
  let state = seed || 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 4294967296;
  };
  // Names that differ little start close to each other.
  for (let i = 0; i < 16; i++) next();
  return next;
}

function orderOf(subject) {
  const order = test.images.map((_, i) => i), random = randomNumbers(hash(test.id + "/" + subject));
  for (let i = total - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

function truthOf(image) {
  let odd = 0;
  for (let bits = test.marks[image]; bits; bits >>= 1) odd ^= bits & 1;
  return odd;
}

/* What is kept: who is answering now, and everybody's answers in the order in which that person saw the images. */

const KEY = "turing-" + test.id;
let store = load();
let shownAt = 0;

function load() {
  try {
    const saved = JSON.parse(localStorage.getItem(KEY));
    if (saved && Array.isArray(saved.runs)) return saved;
  } catch (error) { /* no storage, or not ours: begin anew */ }
  return { current: null, runs: [] };
}

function save() {
  try {
    localStorage.setItem(KEY, JSON.stringify(store));
  } catch (error) {
    byId("unsaved").hidden = false;
  }
}

function runOf(subject) {
  let run = store.runs.find((one) => one.subject === subject);
  if (!run) store.runs.push((run = { subject, answers: [] }));
  return run;
}

const current = () => runOf(store.current);

/* What is shown. */

function show(name) {
  for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== name;
  byId("about").hidden = name === "question";
  window.scrollTo(0, 0);
}

function proceed() {
  if (store.current === null) return show("start");
  const run = current();
  if (run.answers.length === 0) return show("examples");
  return run.answers.length < total ? ask() : finish();
}

function ask() {
  const run = current(), done = run.answers.length;
  byId("progress").textContent = `${done + 1} of ${total}`;
  byId("bar").value = done;
  byId("image").src = test.images[orderOf(run.subject)[done]];
  byId("image").alt = `Image ${done + 1} of ${total}`;
  show("question");
  shownAt = performance.now();
}

function answer(said) {
  if (byId("question").hidden || performance.now() - shownAt < PAUSE) return;
  current().answers.push(said);
  save();
  proceed();
  if (!byId("result").hidden) byId("score").focus();
}

// A focus ring around one of the two answers would suggest it.
function leaveButtons() {
  byId("progress").focus({ preventScroll: true });
}

function tally(run) {
  const order = orderOf(run.subject), counts = [[0, 0], [0, 0]];
  run.answers.forEach((said, i) => counts[truthOf(order[i])][said]++);
  return counts;
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;

function finish() {
  const counts = tally(current()), right = counts[0][0] + counts[1][1];
  const p = pValue(right, total), [low, high] = interval(right, total);
  byId("subject").textContent = store.current;
  byId("score").textContent = `${right} of ${total} right`;
  byId("share").textContent = percent(right / total);
  byId("interval").textContent = `${(100 * low).toFixed(1)} to ${percent(high)}`;
  byId("p").value = p;
  byId("p").textContent = p < 0.0001 ? "below 0.0001" : p.toPrecision(3);
  byId("verdict").textContent = p < 0.05
    ? "More right answers than guessing explains: you saw a difference."
    : "Not more right answers than guessing explains: they do not show that you saw a difference.";
  for (const truth of [0, 1]) {
    for (const said of [0, 1]) byId(`${WORDS[truth]}-${WORDS[said]}`).textContent = counts[truth][said];
    byId(`${WORDS[truth]}-all`).textContent = counts[truth][0] + counts[truth][1];
  }
  show("result");
}

/* What is saved to a file. */

function record() {
  const { subject, answers } = current(), order = orderOf(subject);
  return {
    format: "turing-answers-1", page: test.id, kind: test.kind, subject,
    answers: answers.map((said, i) => ({ image: order[i], truth: WORDS[truthOf(order[i])], answer: WORDS[said] })),
  };
}

function download() {
  const text = JSON.stringify(record(), null, 1), link = document.createElement("a");
  const name = store.current.replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, "").toLowerCase();
  link.download = `answers-${[test.kind, name, hash(text).toString(16).padStart(8, "0")].filter(Boolean).join("-")}.json`;
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/* What the person does. */

byId("who").addEventListener("submit", (event) => {
  event.preventDefault();
  const subject = byId("name").value.trim();
  if (!subject) return byId("name").focus();
  store.current = subject;
  runOf(subject);
  save();
  proceed();
});
byId("begin").addEventListener("click", () => { ask(); leaveButtons(); });
for (const said of [0, 1]) {
  byId(`say-${WORDS[said]}`).addEventListener("click", (event) => {
    if (event.detail) leaveButtons(); // a mouse; who came by the tab key stays on the button
    answer(said);
  });
}
byId("download").addEventListener("click", download);
byId("next").addEventListener("click", () => {
  store.current = null;
  save();
  byId("name").value = "";
  proceed();
  byId("name").focus();
});
document.addEventListener("keydown", (event) => {
  if (byId("question").hidden) return;
  if (event.repeat) return event.preventDefault(); // a key held down is one answer
  const said = { ArrowLeft: 0, r: 0, R: 0, ArrowRight: 1, m: 1, M: 1 }[event.key];
  if (said === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  answer(said);
});
proceed();
