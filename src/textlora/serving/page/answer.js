// What is shown of one text: the answer, its probabilities, why, and the request itself.

import { answerInWords, byId, count, make, milliseconds, percent, signed } from "./dom.js";
import { askPatiently, pause } from "./server.js";

const SHOWN_CLASSES = 12;

/** Show the answer to a text; the untrained classifier's is asked for, and filled in. */
export function showAnswer({ text, adapter, explains, response, took, signal, failed }) {
  const answer = response.answers[0];
  const classes = Object.entries(answer.probabilities).sort((one, other) => other[1] - one[1]);
  const untrained = new Map();
  const explanation = make("div", { className: "why" });
  byId("result").replaceChildren(
    headline(answer, adapter, classes),
    ...truncation(answer, adapter),
    probabilities(classes, untrained),
    make("p", { className: "quiet latency", textContent: latency(response, took) }),
    ...why({ text, adapter, explains, answer, classes, explanation, signal, failed }),
    explanation,
    request(text, adapter),
  );
  byId("result").hidden = false;
  byId("said").textContent = [`${answerInWords(answer)}, ${percent(answer.probability)}.`, ...truncatedInWords(answer, adapter)].join(" ");
  fillUntrained(untrained, text, adapter, signal);
}

function headline(answer, adapter, classes) {
  const line = make("p", { className: answer.unsure ? "headline unsure" : "headline" });
  line.append(make("strong", { textContent: answerInWords(answer), dir: "auto" }), " ");
  if (!answer.unsure) {
    const each = adapter.multi_label ? " for the least sure of its labels" : "";
    line.append(make("span", { textContent: percent(answer.probability) + each }));
    return line;
  }
  const least = adapter.min_confidence === null ? "" : `; it has to be ${percent(adapter.min_confidence)} sure`;
  const most = adapter.multi_label ? "its labels" : classes[0][0];
  line.append(make("span", { textContent: `${percent(answer.probability)} for ${most}${least}` }));
  return line;
}

function truncatedInWords(answer, adapter) {
  if (!answer.truncated) return [];
  const read = adapter.long_texts === "windows" ? "its windows hold" : `the ${count(adapter.max_length)} that are read`;
  return [`The text was truncated: it has ${count(answer.tokens)} tokens, more than ${read}. The answer is about a part of it.`];
}

const truncation = (answer, adapter) =>
  truncatedInWords(answer, adapter).map((sentence) => make("p", { className: "notice", textContent: sentence }));

function latency(response, took) {
  const parts = `${milliseconds(response.queue_ms)} waiting, ${milliseconds(response.inference_ms)} computing`;
  return `Answered in ${milliseconds(took)}, ${milliseconds(response.latency_ms)} of it on the server (${parts}).`;
}

function probabilities(classes, untrained) {
  const titles = ["Class", "Tuned", "Untrained: random head"];
  const head = make("tr", {}, ...titles.map((title) => make("th", { scope: "col", textContent: title })));
  const rows = classes.map(([label, share], place) => {
    const other = make("td", { className: "before" }, make("span", { className: "quiet", textContent: "…" }));
    untrained.set(label, other);
    const name = make("th", { scope: "row", textContent: label, dir: "auto" });
    const row = make("tr", {}, name, make("td", {}, bar(share)), other);
    row.hidden = place >= SHOWN_CLASSES;
    return row;
  });
  const caption = make("caption", { className: "hidden", textContent: "How probable every class is" });
  const table = make("table", { className: "classes" }, caption, make("thead", {}, head), make("tbody", {}, ...rows));
  const block = make("div", {}, table);
  if (classes.length > SHOWN_CLASSES) {
    const more = make("button", { type: "button", className: "plain", textContent: `Show all ${classes.length} classes` });
    more.addEventListener("click", () => {
      rows.forEach((row) => { row.hidden = false; });
      more.remove();
    });
    block.append(more);
  }
  return block;
}

function bar(share) {
  const filled = make("span");
  filled.style.width = `${100 * share}%`;
  const track = make("span", { className: "track" }, filled);
  return make("div", { className: "share" }, track, make("span", { className: "figure", textContent: percent(share) }));
}

async function fillUntrained(cells, text, adapter, signal) {
  let found = null;
  try {
    const waiting = (seconds) => pause(seconds, signal);
    found = await askPatiently("untrained", { inputs: text, model: adapter.name }, { signal, waiting });
  } catch {
    if (signal.aborted) return;
  }
  for (const [label, cell] of cells) {
    const none = make("span", { className: "quiet", textContent: "not available" });
    cell.replaceChildren(found ? bar(found.probabilities[label]) : none);
  }
}

function why({ text, adapter, explains, answer, classes, explanation, signal, failed }) {
  const given = [answer.label].flat();
  const target = make("select", { id: "target" });
  for (const [label] of classes) {
    target.append(make("option", { value: label, textContent: label, selected: label === (given[0] ?? classes[0][0]) }));
  }
  const button = make("button", { type: "button", id: "explain", className: "plain", textContent: "Mark the words", disabled: !explains });
  const said = make("span", { className: "quiet", id: "explain-said", role: "status" });
  if (!explains) said.textContent = "Not on this server: it needs captum (pip install captum).";
  button.setAttribute("aria-describedby", said.id);
  button.addEventListener("click", async () => {
    button.disabled = true;
    said.textContent = "Explaining, which takes seconds …";
    try {
      const waiting = (seconds) => {
        said.textContent = `Others are asking, too: trying again in ${seconds} s …`;
        return pause(seconds, signal);
      };
      const body = { inputs: text, model: adapter.name, target: target.value };
      showWords(explanation, await askPatiently("explain", body, { signal, waiting }));
      said.textContent = "";
    } catch (error) {
      if (signal.aborted) return;
      said.textContent = error.message;
      if (error.status === 401) failed(error);
    }
    button.disabled = false;
  });
  const label = make("label", { htmlFor: "target", textContent: "What spoke for" });
  return [make("div", { className: "row ask-why" }, label, target, button, said)];
}

function showWords(place, found) {
  const words = make("p", { className: "words", dir: "auto" });
  for (const piece of found.pieces) {
    if (piece.unseen) {
      words.append(make("span", { className: "unseen", title: "left out", textContent: piece.text }));
    } else if (piece.level) {
      const className = `${piece.level > 0 ? "for" : "against"}-${Math.abs(piece.level)}`;
      words.append(make("span", { className, title: signed(piece.score), textContent: piece.text }));
    } else {
      words.append(piece.text);
    }
  }
  const side = (start, named) => {
    const list = named.map((word) => `${word.text} ${signed(word.score)}`).join(", ") || "none";
    return [`${start} `, make("strong", { textContent: found.target }), `: ${list}. `];
  };
  const strongest = make("p", { className: "strongest", role: "status" }, ...side("For", found.speak_for), ...side("Against", found.speak_against));
  const base = `${found.target} ${percent(found.probability)}; with every word replaced by ${found.baseline} ${percent(found.baseline_probability)}. `;
  place.replaceChildren(words, strongest, make("p", { className: "quiet quality", textContent: base + found.quality }));
}

function request(text, adapter) {
  const body = JSON.stringify({ inputs: text, model: adapter.name }).replaceAll("'", "'\\''");
  const url = new URL("classify", document.baseURI).href;
  const key = byId("secret").value ? ' -H "Authorization: Bearer $TEXTLORA_API_KEY"' : "";
  const line = make("code", { textContent: `curl -s ${url} -H 'Content-Type: application/json'${key} -d '${body}'` });
  const block = make("pre", { tabIndex: 0 }, line);
  block.setAttribute("role", "region");
  block.setAttribute("aria-label", "The same request with curl");
  const copy = make("button", { type: "button", className: "plain", id: "copy", textContent: "Copy" });
  const said = make("span", { className: "quiet", role: "status" });
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(line.textContent);
      said.textContent = "Copied.";
    } catch {
      // Not over plain HTTP from another machine.
      getSelection().selectAllChildren(line);
      said.textContent = "Selected: copy it with Ctrl + C.";
    }
  });
  return make("details", { className: "request" }, make("summary", { textContent: "The same with curl" }), block, make("div", { className: "row" }, copy, said));
}
