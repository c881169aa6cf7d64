/** Why nothing is shown, in the viewer's words; and after how long to try again. */

export type ProblemCode =
  "signed_out" | "denied" | "no_stream" | "not_running" | "no_recordings" | "network" | "server" | "unplayable";

export interface Problem {
  readonly code: ProblemCode;
  readonly text: string;
}

const DENIALS: Record<string, string> = {
  archive_not_allowed: "You may watch this stream live, but not its archive.",
  too_many_sessions: "This is being watched on too many devices already.",
  token_required: "This stream can only be watched with a permission.",
};

/** `status` 0: no answer. `code` is the server's, if it gave one. */
export function problemOf(status: number, code: string | undefined, live: boolean): Problem {
  if (status === 401) return { code: "signed_out", text: "Your sign-in has expired." };
  if (status === 403) {
    const text = DENIALS[code ?? ""] ?? "You are not permitted to watch this, or the permission has expired.";
    return { code: "denied", text };
  }
  if (status === 404 && code === "stream_not_found") return { code: "no_stream", text: "There is no such stream." };
  if (status === 404 && live) {
    return { code: "not_running", text: "The stream is not running. It plays as soon as it is back." };
  }
  if (status === 404) return { code: "no_recordings", text: "Nothing is recorded here." };
  if (status >= 400) return { code: "server", text: `The server answers ${status}. Trying again.` };
  return { code: "network", text: "The server can't be reached. Trying again." };
}

export const UNPLAYABLE: Problem = { code: "unplayable", text: "This browser can't play what is recorded here." };

/** It runs, but nothing arrives; what is loaded stays, and goes on when something does. */
export const SILENT: Problem = {
  code: "not_running",
  text: "The source sends nothing. It goes on as soon as it does.",
};

/** Some things come back quickly, a permission does not. */
export function retryAfterMs(problem: Problem, attempt: number): number {
  const [first, most] = problem.code === "network" || problem.code === "server" ? [1000, 6000] : [2000, 8000];
  if (problem.code === "denied" || problem.code === "signed_out") return Math.min(60_000, 10_000 * 2 ** attempt);
  return Math.min(most, first * 2 ** attempt);
}
