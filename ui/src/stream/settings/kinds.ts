/**
 * The kinds of inputs that this server has, as its schema names them: `components.schemas.input["x-kinds"]`.
 *
 *     loadKinds() -> kinds      once a page; where the schema can't be read, an example is all that is shown
 */
import { signal } from "@preact/signals";

import { request } from "../../api/http";
import { PUBLISH } from "./draft";

export interface Kind {
  kind: string;
  schemes: readonly string[];
  example: string;
  description: string;
}

interface Schema {
  components?: { schemas?: { input?: { "x-kinds"?: readonly Kind[] } } };
}

export const kinds = signal<readonly Kind[]>([]);
let asked = false;

export async function loadKinds(): Promise<void> {
  if (asked) return;
  asked = true;
  try {
    kinds.value = kindsOf(await request<Schema>("GET", "schema"));
  } catch {
    asked = false;
  }
}

/** Those whose URL is typed: publishing is allowed by a button. */
export function kindsOf(schema: Schema): readonly Kind[] {
  const found = schema.components?.schemas?.input?.["x-kinds"] ?? [];
  return found.filter(({ example }) => example !== PUBLISH);
}

export function hintOf(known: readonly Kind[]): string {
  const schemes = known.flatMap((kind) => kind.schemes);
  const which = schemes.length > 0 ? `Kinds: ${schemes.join(", ")}. ` : "";
  return `${which}The first that works is taken.`;
}
