/** Where the settings come from, and what takes them back; the restart. */
import { useState } from "preact/hooks";

import { inPath, mayEdit, request } from "../../api/http";
import type { Stream } from "../../api/types";
import { go } from "../../app/router";
import { say } from "../../app/toasts";
import { Confirm } from "../../common/Confirm";
import type { Origin } from "./origin";

interface Props {
  name: string;
  origin: Origin;
  stream: Stream;
  /** The settings are others now. */
  onChanged: () => Promise<void>;
}

type Question = "restart" | "reset" | "remove";

export function OriginCard({ name, origin, stream, onChanged }: Props) {
  const [question, setQuestion] = useState<Question>();
  const close = () => setQuestion(undefined);
  const path = `streams/${inPath(name)}`;
  const changed = origin.kind === "file" && origin.changed.length > 0;
  return (
    <section class="card origin">
      <p class="grow">
        {sentence(origin, stream)}
        {!mayEdit.value && " Your account may only look."}
      </p>
      {mayEdit.value && (
        <div class="row">
          {stream.stats.running && (
            <button type="button" onClick={() => setQuestion("restart")}>
              Restart
            </button>
          )}
          {changed && (
            <button type="button" onClick={() => setQuestion("reset")}>
              Back to the file's settings
            </button>
          )}
          {origin.kind === "api" && (
            <button type="button" class="danger" onClick={() => setQuestion("remove")}>
              Remove
            </button>
          )}
        </div>
      )}
      {question === "restart" && (
        <Confirm
          title="Restart this stream?"
          action="Restart"
          onClose={close}
          onConfirm={async () => {
            await request("POST", `${path}/stop`);
            say("The stream starts anew.");
          }}
        >
          <p>
            Viewers see a short break, and encoders that publish have to connect again. Recordings stay; a gap of some
            seconds will be in them.
          </p>
        </Confirm>
      )}
      {question === "reset" && (
        <Confirm
          title="Back to the file's settings?"
          action="Back to the file's settings"
          danger
          onClose={close}
          onConfirm={async () => {
            await request("DELETE", path);
            await onChanged();
            say("The stream is as in the configuration file again.");
          }}
        >
          <p>What has been changed here is forgotten, and the configuration file holds again.</p>
          <p>
            Recordings stay, but for what the file's own limits do not keep: where they are shorter, older recordings
            are deleted.
          </p>
        </Confirm>
      )}
      {question === "remove" && (
        <Confirm
          title="Remove this stream?"
          action="Remove"
          danger
          onClose={close}
          onConfirm={async () => {
            await request("DELETE", path);
            say("The stream was removed.");
            go(["streams"]);
          }}
        >
          <p>It stops, and its settings are forgotten. Viewers and encoders are cut off.</p>
          <p>Recordings stay on the disk and can be watched; without settings, nothing deletes them by age any more.</p>
        </Confirm>
      )}
    </section>
  );
}

function sentence(origin: Origin, { template }: Stream & { template?: string }): string {
  const by = template === undefined ? "" : ` (template ${template})`;
  switch (origin.kind) {
    case "api":
      return "This stream was made here; the configuration file does not have it.";
    case "recordings":
      return "Nothing configures this stream any more; its recordings are left. Saving makes it a stream again.";
    case "file":
      return origin.changed.length === 0
        ? `As in the configuration file${by}.`
        : `From the configuration file${by}, changed here: ${origin.changed.join(", ")}.`;
  }
}
