// Requests to the server that this page came from.

let key = "";

/** Send this key from now on; it is kept in memory alone. */
export const useKey = (given) => { key = given; };

/** The server answered, and not with what was asked for. */
export class Refusal extends Error {
  constructor(status, problem, retryAfter) {
    super(problem);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** The server did not answer. */
export class Offline extends Error {}

export async function ask(path, body, signal) {
  const headers = {};
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body) headers["Content-Type"] = "application/json";
  let response, content;
  try {
    response = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), signal });
    content = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Offline("The server does not answer.");
  }
  let values;
  try {
    values = JSON.parse(content);
  } catch {
    values = null;
  }
  if (response.ok && values !== null) return values;
  const problem = values?.error ?? `The server answered with status ${response.status}.`;
  throw new Refusal(response.status, problem, Number(response.headers.get("Retry-After")) || 1);
}

/** Ask again while the server is busy, and say so before every wait. */
export async function askPatiently(path, body, { signal, waiting, tries = 4 }) {
  for (let left = tries; ; left -= 1) {
    try {
      return await ask(path, body, signal);
    } catch (error) {
      const busy = error instanceof Refusal && [429, 503].includes(error.status);
      if (!busy || left <= 1) throw error;
      await waiting(error.retryAfter);
    }
  }
}

export function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal?.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
  });
}
