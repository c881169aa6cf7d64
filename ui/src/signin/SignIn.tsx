/** Who are you? */
import { useState } from "preact/hooks";

import { ApiError } from "../api/http";
import { signIn } from "../api/signin";
import { Field } from "../shared/Field";

export function SignIn() {
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    setBusy(true);
    try {
      await signIn(String(form.get("user")), String(form.get("password")));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setProblem(error.message);
    } finally {
      setBusy(false);
    }
  }

  return (
    <main class="signin">
      <form class="card" onSubmit={(event) => void submit(event)}>
        <h1>flussdvr</h1>
        <Field label="User">
          {(tied) => <input {...tied} name="user" autocomplete="username" required autofocus />}
        </Field>
        <Field label="Password" error={problem}>
          {(tied) => <input {...tied} name="password" type="password" autocomplete="current-password" required />}
        </Field>
        <button class="primary" disabled={busy}>
          Sign in
        </button>
      </form>
    </main>
  );
}
