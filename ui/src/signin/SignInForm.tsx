/** User and password, and why they are not taken. */
import { useEffect, useRef, useState } from "preact/hooks";

import { ApiError } from "../api/http";
import { signIn } from "../api/signin";
import { Field } from "../common/Field";

interface Props {
  /** Who was signed in before. */
  user?: string;
  note?: string;
}

export function SignInForm({ user = "", note }: Props) {
  const [problem, setProblem] = useState<ApiError>();
  const [busy, setBusy] = useState(false);
  const name = useRef<HTMLInputElement>(null);
  const password = useRef<HTMLInputElement>(null);

  useEffect(() => (user === "" ? name : password).current?.focus(), []);

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    setBusy(true);
    try {
      await signIn(name.current?.value ?? "", password.current?.value ?? "");
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setProblem(error);
      setBusy(false);
      password.current?.select();
    }
  }

  return (
    <form onSubmit={(event) => void submit(event)}>
      <h1 class="brand">
        <img src="/ui/icon.svg" alt="" />
        <span>flussdvr</span>
      </h1>
      {note !== undefined && <p class="soft">{note}</p>}
      <Field label="User">
        {(tied) => (
          <input
            {...tied}
            ref={name}
            autofocus={user === ""}
            defaultValue={user}
            autocomplete="username"
            autocapitalize="none"
            spellcheck={false}
            required
          />
        )}
      </Field>
      <Field label="Password" error={problem?.code === "wrong_password" ? "User or password is wrong." : undefined}>
        {(tied) => (
          <input
            {...tied}
            ref={password}
            autofocus={user !== ""}
            type="password"
            autocomplete="current-password"
            required
          />
        )}
      </Field>
      {problem !== undefined && problem.code !== "wrong_password" && <Refusal problem={problem} />}
      <button class="primary" disabled={busy}>
        {busy ? "Signing in…" : "Sign in"}
      </button>
    </form>
  );
}

function Refusal({ problem }: { problem: ApiError }) {
  if (problem.code === "no_accounts") {
    return (
      <div class="signin-problem" role="alert">
        <p>Nobody can sign in yet: the configuration has no accounts. Put these lines into it and reload the server:</p>
        <pre class="mono">{"edit_auth NAME PASSWORD;\nview_auth NAME PASSWORD;"}</pre>
        <p class="small soft">edit_auth may change things, view_auth may only look. One of them is enough.</p>
      </div>
    );
  }
  const title = problem.message.charAt(0).toUpperCase() + problem.message.slice(1);
  return (
    <p class="signin-problem" role="alert">
      {title}.
    </p>
  );
}
