/** A name that somebody else has given, in whichever direction it is written; it can't turn what stands around it. */
import { visible } from "./visible";

export function Name({ of }: { of: string }) {
  return <bdi>{visible(of)}</bdi>;
}
