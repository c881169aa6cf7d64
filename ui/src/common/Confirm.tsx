/** A question before something that can't be taken back. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

import { sayWhy } from "../app/toasts";
import { Dialog } from "./Dialog";

interface Props {
  title: string;
  /** What the button says. */
  action: string;
  danger?: boolean;
  onClose: () => void;
  /** Closes when it is done; a refusal is told, and the question stays. */
  onConfirm: () => Promise<void> | void;
  children: ComponentChildren;
}

export function Confirm({ title, action, danger = false, onClose, onConfirm, children }: Props) {
  const [busy, setBusy] = useState(false);

  async function confirm(): Promise<void> {
    setBusy(true);
    try {
      await onConfirm();
      onClose();
    } catch (error) {
      setBusy(false);
      sayWhy(error);
    }
  }

  return (
    <Dialog title={title} onClose={onClose}>
      {children}
      <div class="dialog-buttons">
        <button type="button" onClick={onClose}>
          Cancel
        </button>
        <button type="button" class={danger ? "danger" : "primary"} disabled={busy} onClick={() => void confirm()}>
          {action}
        </button>
      </div>
    </Dialog>
  );
}
