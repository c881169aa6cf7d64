/** Asks before a form with unsaved words is left. */
import { useEffect, useState } from "preact/hooks";

import { guardLeaving } from "../../app/router";
import { Confirm } from "../../common/Confirm";

export function Unsaved({ when }: { when: boolean }) {
  const [leave, setLeave] = useState<{ go: () => void }>();
  useEffect(() => (when ? guardLeaving((go) => setLeave({ go })) : undefined), [when]);
  if (leave === undefined) return null;
  return (
    <Confirm
      title="Leave without saving?"
      action="Leave"
      danger
      onClose={() => setLeave(undefined)}
      onConfirm={() => leave.go()}
    >
      <p>What you have changed here is not saved yet.</p>
    </Confirm>
  );
}
