// The page: what the server is, one text, and a file (table.js).

import { byId, make } from "./dom.js";
import { showAnswer } from "./answer.js";
import { Offline, Refusal, ask, askPatiently, pause, useKey } from "./server.js";
import { startTable } from "./table.js";

let info = null;
let asked = new AbortController();
let again = connect;

const adapter = () => info.adapters.find((one) => one.name === byId("adapter").value) ?? info.adapters[0];

async function connect() {
  try {
    info = await ask("info");
  } catch (error) {
    failed(error, connect);
    return false;
  }
  const chosen = byId("adapter").value;
  const names = info.adapters.map((one) => one.name);
  const options = names.map((name) => make("option", { value: name, textContent: name }));
  byId("adapter").replaceChildren(...options);
  byId("adapter").value = names.includes(chosen) ? chosen : info.default;
  byId("adapter").disabled = false;
  byId("classify").disabled = false;
  byId("version").textContent = ` · textlora ${info.version}`;
  about();
  solved();
  return true;
}

function about() {
  const { labels, base, max_length, long_texts, multi_label } = adapter();
  const classes = labels.length > 6 ? `${labels.length} classes` : labels.join(", ");
  const several = multi_label ? " (several a text)" : "";
  const read = long_texts === "windows" ? "long texts in windows" : `up to ${max_length} tokens`;
  byId("about").textContent = `${classes}${several} · ${base} · ${read}`;
}

async function classify() {
  const text = byId("text").value;
  byId("text").removeAttribute("aria-invalid");
  if (!text.trim()) {
    byId("text").setAttribute("aria-invalid", "true");
    byId("waiting").textContent = "Type or paste a text first.";
    byId("text").focus();
    return;
  }
  if (info === null && !(await connect())) return;
  asked.abort();
  asked = new AbortController();
  const { signal } = asked;
  const chosen = adapter();
  const waiting = (seconds) => {
    byId("waiting").textContent = `The server is busy: trying again in ${seconds} s …`;
    return pause(seconds, signal);
  };
  busy(true);
  try {
    const started = performance.now();
    const response = await askPatiently("classify", { inputs: text, model: chosen.name }, { signal, waiting });
    const took = performance.now() - started;
    solved();
    showAnswer({ text, adapter: chosen, explains: info.explains, response, took, signal, failed });
  } catch (error) {
    if (signal.aborted) return;
    busy(false);
    failed(error, classify);
    return;
  }
  busy(false);
}

function busy(is) {
  byId("waiting").textContent = is ? "Classifying …" : "";
  byId("result").setAttribute("aria-busy", String(is));
  byId("result").classList.toggle("stale", is);
}

function failed(error, next = connect) {
  if (!(error instanceof Offline || error instanceof Refusal)) throw error;
  again = next;
  if (error.status === 401) {
    const wrong = byId("secret").value !== "";
    byId("key").hidden = false;
    byId("problem").hidden = !wrong;
    byId("problem").firstElementChild.textContent = "The server does not take this key.";
    byId("again").hidden = true;
    byId("secret").focus();
    return;
  }
  const texts = { 429: "The server is busy, and stays so. Try again in a while.", 404: `${error.message} The list of classifiers is read again.` };
  byId("problem").firstElementChild.textContent = error instanceof Offline
    ? "The server does not answer. It may have been stopped, or this machine is offline."
    : texts[error.status] ?? error.message;
  byId("again").hidden = false;
  byId("problem").hidden = false;
  if (error.status === 404) again = connect;
}

function solved() {
  byId("problem").hidden = true;
  byId("key").hidden = true;
}

byId("again").addEventListener("click", () => again());
byId("key").addEventListener("submit", (event) => {
  event.preventDefault();
  useKey(byId("secret").value);
  again();
});
byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  classify();
});
byId("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  classify();
});
byId("adapter").addEventListener("change", () => {
  about();
  if (!byId("result").hidden) classify();
});
startTable({ info: () => info, adapter, failed });
connect();
