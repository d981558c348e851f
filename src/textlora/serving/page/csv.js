// CSV and TSV as RFC 4180 has them: quoted cells may hold delimiters, quotes and line breaks.

const DELIMITERS = [",", ";", "\t", "|"];

/**
 * Take a table apart. Blank lines are no rows.
 * Returns { delimiter, newline, rows }; throws where a quotation mark is never closed.
 */
export function parse(text, delimiter = guess(text)) {
  const rows = [];
  let row = [], cell = "", place = 0;
  const end = () => {
    row.push(cell);
    if (row.length > 1 || row[0].trim()) rows.push(row);
    row = [];
    cell = "";
  };
  while (place < text.length) {
    const character = text[place];
    if (character === '"' && cell === "") {
      const [inside, after] = quoted(text, place);
      cell = inside;
      // What follows a closing quote is taken as it stands.
      place = after;
      const stop = next(text, place, delimiter);
      cell += text.slice(place, stop);
      place = stop;
    } else if (character === delimiter) {
      row.push(cell);
      cell = "";
      place += 1;
    } else if (character === "\n" || character === "\r") {
      end();
      place += text.startsWith("\r\n", place) ? 2 : 1;
    } else {
      const stop = next(text, place + 1, delimiter);
      cell += text.slice(place, stop);
      place = stop;
    }
  }
  if (cell || row.length) end();
  return { delimiter, newline: /\r\n/.test(text) ? "\r\n" : "\n", rows };
}

export function write(rows, delimiter, newline) {
  const special = new RegExp(`["\\r\\n${delimiter}]|^\\s|\\s$`);
  const shown = (cell) => (special.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  return rows.map((row) => row.map(shown).join(delimiter) + newline).join("");
}

/** Return what stands between the quotes, and the place behind the closing one. */
function quoted(text, start) {
  let inside = "", place = start + 1;
  for (;;) {
    const close = text.indexOf('"', place);
    if (close < 0) {
      const line = text.slice(0, start).split("\n").length;
      throw new Error(`a quotation mark in line ${line} is never closed`);
    }
    inside += text.slice(place, close);
    if (text[close + 1] !== '"') return [inside, close + 1];
    inside += '"';
    place = close + 2;
  }
}

function next(text, place, delimiter) {
  while (place < text.length && text[place] !== delimiter && text[place] !== "\n" && text[place] !== "\r") place += 1;
  return place;
}

/** The delimiter that the header has most of, outside of quotes. */
function guess(text) {
  const header = text.slice(0, next(text, 0, "\n")).replace(/"[^"]*"/g, "");
  const times = (delimiter) => header.split(delimiter).length;
  return DELIMITERS.reduce((best, one) => (times(one) > times(best) ? one : best));
}
