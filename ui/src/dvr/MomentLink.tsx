/** The address of this page at the moment that is shown. */
import type { ReadonlySignal } from "@preact/signals";
import { useState } from "preact/hooks";

import { address } from "../app/router";
import { say } from "../app/toasts";
import { Dialog } from "../common/Dialog";
import { Icon } from "../common/Icon";
import { copy } from "./copy";
import { CopyField } from "./CopyField";
import { spellWish } from "./wish";

export function MomentLink({ name, position }: { name: string; position: ReadonlySignal<number | null> }) {
  const [shown, show] = useState<string>();
  async function onCopy(): Promise<void> {
    const wish = spellWish({ at: position.peek(), chosen: null });
    const link = `${location.origin}${location.pathname}${address(["streams", name], wish)}`;
    if (await copy(link)) say("The link to this moment is copied.");
    else show(link);
  }
  return (
    <>
      <button
        class="quiet icon"
        aria-label="Copy a link to this moment"
        title="Copy a link to this moment"
        onClick={() => void onCopy()}
      >
        <Icon name="link" />
      </button>
      {shown !== undefined && (
        <Dialog title="Link to this moment" onClose={() => show(undefined)}>
          <CopyField label="For those who may sign in" text={shown} />
          <div class="dialog-buttons">
            <button onClick={() => show(undefined)}>Close</button>
          </div>
        </Dialog>
      )}
    </>
  );
}
