/** What the browser's tab says: the screen, then whose page it is. */
import { useEffect } from "preact/hooks";

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · flussdvr`;
  }, [title]);
}
