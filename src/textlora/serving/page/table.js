// A file: read here, sent in batches, written here.

import { answerInWords, byId, count, duration, make } from "./dom.js";
import { parse, write } from "./csv.js";
import { Offline, Refusal, ask, pause } from "./server.js";

const TEXT_NAMES = ["text", "sentence", "review", "content"];
const AT_ONCE = 2;
const TRIES_OFFLINE = 5;
const SECONDS_OFFLINE = 2;
const DIGITS = 6;
// Of a request's body, for what is around the texts.
const MARGIN = 2000;

const bytes = (text) => new TextEncoder().encode(JSON.stringify(text)).length + 1;

/** Take files from the chooser and from what is dropped. */
export function startTable(page) {
  const area = byId("drop");
  const take = (file) => file && open(file, page);
  byId("file").addEventListener("change", (event) => take(event.target.files[0]));
  for (const kind of ["dragenter", "dragover"]) {
    area.addEventListener(kind, (event) => {
      event.preventDefault();
      area.classList.add("over");
    });
  }
  area.addEventListener("dragleave", () => area.classList.remove("over"));
  area.addEventListener("drop", (event) => {
    event.preventDefault();
    area.classList.remove("over");
    take(event.dataTransfer.files[0]);
  });
}

let running = new AbortController();

async function open(file, page) {
  running.abort();
  byId("table").hidden = false;
  try {
    const table = await read(file);
    offer(file.name, table, page);
  } catch (error) {
    byId("table").replaceChildren(make("p", { className: "notice", role: "alert", textContent: `${file.name}: ${error.message}.` }));
  }
}

async function read(file) {
  const content = await file.arrayBuffer();
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(content);
  } catch {
    text = new TextDecoder("windows-1252").decode(content);
  }
  const { delimiter, newline, rows } = parse(text, /\.tsv$/i.test(file.name) ? "\t" : undefined);
  if (rows.length < 2) throw new Error("there is no header with rows below it");
  const [header, ...body] = rows;
  // A row may have more cells than the header: they get columns, so that none is lost.
  const width = body.reduce((most, row) => Math.max(most, row.length), header.length);
  const columns = Array.from({ length: width }, (_, place) => header[place] ?? `column ${place + 1}`);
  return { delimiter, newline, columns, expected: header.length, rows: body };
}

function offer(name, table, page) {
  const chooser = make("select", { id: "column" });
  table.columns.forEach((column, place) => chooser.append(make("option", { value: place, textContent: column })));
  const known = table.columns.findIndex((column) => TEXT_NAMES.includes(column.trim().toLowerCase()));
  chooser.value = String(Math.max(known, 0));
  const start = make("button", { type: "button", id: "score", textContent: `Score ${count(table.rows.length)} rows` });
  const size = `${count(table.rows.length)} rows, ${table.columns.length} columns`;
  const about = (...more) => make("p", {}, make("strong", { textContent: name }), ` · ${size}`, ...more);
  const label = make("label", { htmlFor: "column", textContent: "Texts in column" });
  byId("table").replaceChildren(about(), make("div", { className: "row" }, label, chooser, start));
  start.addEventListener("click", () => {
    if (page.info() === null) return;
    const adapter = page.adapter();
    const column = Number(chooser.value);
    byId("table").replaceChildren(about(` · texts in “${table.columns[column]}” · classified by ${adapter.name}`));
    score({ name, table, column, adapter, limits: page.info().limits, page });
  });
}

async function score(job) {
  const { table, column, adapter, limits, page } = job;
  const work = {
    answers: new Array(table.rows.length),
    errors: new Array(table.rows.length),
    done: 0,
    seconds: 0,
    adapter,
    texts: table.rows.map((row) => row[column] ?? ""),
  };
  work.batches = plan(work, table, limits);
  const bar = make("progress", { max: table.rows.length, value: work.done });
  bar.setAttribute("aria-label", "Rows that are scored");
  const said = make("span", { className: "quiet", id: "progress-said" });
  const stop = make("button", { type: "button", className: "plain", textContent: "Stop" });
  const line = make("div", { className: "row progress" }, bar, said, stop);
  byId("table").append(line);
  stop.addEventListener("click", () => (stop.textContent === "Stop" ? running.abort() : go()));

  async function go() {
    running = new AbortController();
    stop.textContent = "Stop";
    byId("table-said").textContent = "Scoring has begun.";
    const { signal } = running;
    const before = { done: work.done, at: performance.now() };
    const show = (note) => {
      bar.value = work.done;
      said.textContent = note ?? progress(work, table.rows.length, before);
    };
    show();
    try {
      await Promise.all(Array.from({ length: AT_ONCE }, () => worker(work, signal, show)));
      finish(job, work, line);
    } catch (error) {
      const stopped = signal.aborted && !(error instanceof Offline || error instanceof Refusal);
      running.abort(error);
      said.textContent = `${stopped ? "Stopped." : error.message} ${count(work.done)} of ${count(table.rows.length)} rows are scored.`;
      byId("table-said").textContent = said.textContent;
      stop.textContent = "Go on";
      if (error.status === 401) page.failed(error);
    }
  }
  await go();
}

function progress(work, rows, before) {
  const seconds = (performance.now() - before.at) / 1000;
  const rate = (work.done - before.done) / seconds;
  const left = rate > 0 && seconds > 1 ? ` · ${count(Math.round(rate))} rows/s · ${duration((rows - work.done) / rate)} left` : "";
  return `${count(work.done)} of ${count(rows)} rows${left}`;
}

/** Put rows into batches that the server takes; rows that it would refuse get their error here. */
function plan(work, table, limits) {
  const batches = [];
  let batch = [], size = 0;
  work.texts.forEach((text, place) => {
    const length = bytes(text);
    const cells = table.rows[place].length;
    let error = null;
    if (cells !== table.expected) error = `${cells} cells where the header has ${table.expected}`;
    else if (!text.trim()) error = text ? "the text is blank" : "the text is missing";
    else if (length + MARGIN > limits.payload_limit) error = `the text is longer than the server takes (${count(limits.payload_limit)} bytes)`;
    if (error) {
      work.errors[place] = error;
      work.done += 1;
      return;
    }
    if (batch.length === limits.max_client_batch_size || (batch.length && size + length + MARGIN > limits.payload_limit)) {
      batches.push(batch);
      batch = [];
      size = 0;
    }
    batch.push(place);
    size += length;
  });
  if (batch.length) batches.push(batch);
  return batches;
}

async function worker(work, signal, show) {
  while (work.batches.length) {
    const batch = work.batches.shift();
    try {
      await send(batch, work, signal, show);
    } catch (error) {
      work.batches.unshift(batch);
      throw error;
    }
    show();
  }
}

async function send(batch, work, signal, show) {
  let offline = 0;
  for (;;) {
    signal.throwIfAborted();
    try {
      const texts = batch.map((place) => work.texts[place]);
      const response = await ask("classify", { inputs: texts, model: work.adapter.name }, signal);
      batch.forEach((place, number) => { work.answers[place] = response.answers[number]; });
      work.done += batch.length;
      return;
    } catch (error) {
      if (error instanceof Offline) {
        offline += 1;
        if (offline === TRIES_OFFLINE) throw error;
        show("The server does not answer: trying again …");
        await pause(SECONDS_OFFLINE, signal);
      } else if ([429, 503, 504].includes(error.status)) {
        show(`The server is busy: going on in ${error.retryAfter} s …`);
        await pause(error.retryAfter, signal);
      } else if ([400, 413, 422, 500].includes(error.status)) {
        if (batch.length === 1) {
          work.errors[batch[0]] = error.message;
          work.done += 1;
          return;
        }
        // One of them is to blame: alone, each gets its own answer.
        for (const place of batch.splice(0)) work.batches.unshift([place]);
        return;
      } else {
        throw error;
      }
    }
  }
}

function finish({ name, table, adapter }, work, line) {
  const { columns, rows, delimiter, newline } = table;
  const plain = ["label", ...adapter.labels.map((label) => `probability_${label}`), "error"];
  // As `textlora score --prefix` names them, where the table has such a column already.
  const added = plain.some((column) => columns.includes(column)) ? plain.map((column) => `scored_${column}`) : plain;
  const counts = new Map();
  const scored = rows.map((row, place) => {
    const cells = columns.map((_, number) => row[number] ?? "");
    const answer = work.answers[place];
    if (answer) counts.set(answerInWords(answer), (counts.get(answerInWords(answer)) ?? 0) + 1);
    return [...cells, ...addedCells(answer, work.errors[place], adapter.labels)];
  });
  // The mark in front tells spreadsheets that this is UTF-8.
  const content = "\ufeff" + write([[...columns, ...added], ...scored], delimiter, newline);
  const out = name.replace(/(\.[^.]*)?$/, (suffix) => `.scored${suffix || ".csv"}`);
  const url = URL.createObjectURL(new Blob([content], { type: "text/csv" }));
  const link = make("a", { className: "button", href: url, download: out, textContent: `Download ${out}` });
  const tally = [...counts].sort((one, other) => other[1] - one[1]).slice(0, 12).map(([label, times]) => `${label} ${count(times)}`).join(" · ");
  const renamed = added === plain ? "" : " The added columns begin with scored_, because the table has one of that name.";
  const missing = work.errors.filter(Boolean).length;
  const failures = missing ? ` ${count(missing)} ${missing === 1 ? "row has" : "rows have"} no answer; the column “${added.at(-1)}” says why.` : "";
  line.replaceWith(make("div", { className: "row done" }, link, make("span", { className: "quiet", textContent: tally })));
  const notes = (renamed + failures).trim();
  if (notes) byId("table").append(make("p", { className: "quiet", textContent: notes }));
  byId("table-said").textContent = `The file is ready. ${tally}. ${notes}`;
}

function addedCells(answer, error, labels) {
  if (!answer) return ["", ...labels.map(() => ""), error ?? ""];
  const label = Array.isArray(answer.label) && !answer.unsure ? answer.label.join("|") : answerInWords(answer);
  return [label, ...labels.map((name) => answer.probabilities[name].toFixed(DIGITS)), ""];
}
