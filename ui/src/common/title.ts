/** What the browser's tab says: the screen, then whose page it is. */
import { useEffect } from "preact/hooks";

import { visible } from "./visible";

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${visible(title)} · flussdvr`;
  }, [title]);
}
