/** Short notes in a corner, read out by screen readers: what has been done, or why not. */
import { signal } from "@preact/signals";

import { ApiError } from "../api/http";

interface Toast {
  id: number;
  text: string;
  bad: boolean;
}

const SHOWN_MS = 6000;
const toasts = signal<readonly Toast[]>([]);
let last = 0;

export function say(text: string, bad = false): void {
  last += 1;
  const toast = { id: last, text, bad };
  toasts.value = [...toasts.value.slice(-3), toast];
  setTimeout(() => {
    toasts.value = toasts.value.filter((one) => one !== toast);
  }, SHOWN_MS);
}

/** Says why something was refused; what is no refusal is a defect and goes on. */
export function sayWhy(error: unknown): void {
  if (!(error instanceof ApiError)) throw error;
  say(error.message, true);
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map((toast) => (
        <div key={toast.id} class={toast.bad ? "toast bad" : "toast"}>
          {toast.text}
        </div>
      ))}
    </div>
  );
}
