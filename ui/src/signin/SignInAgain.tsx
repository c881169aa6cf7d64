/** The sign-in has ended while somebody worked: asked for again over the screen, which stays as it is. */
import { useEffect, useRef } from "preact/hooks";

import { account } from "../api/http";
import { SignInForm } from "./SignInForm";

export function SignInAgain({ user }: { user: string }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog
      ref={dialog}
      class="signin-again signin-card"
      aria-label="Sign in again"
      onCancel={(event) => event.preventDefault()}
      onClose={() => {
        if (account.value === null) dialog.current?.showModal();
      }}
    >
      <SignInForm user={user} note="Your sign-in has ended. What you were doing is kept." />
    </dialog>
  );
}
