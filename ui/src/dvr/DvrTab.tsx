import type { ReadonlySignal } from "@preact/signals";

import type { Stream } from "../api/types";

export function DvrTab({ name }: { name: string; stream: ReadonlySignal<Stream | null> }) {
  return <p>{name}: not yet</p>;
}
