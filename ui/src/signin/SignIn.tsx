/** Who are you? The first thing that is seen. */
import { useTitle } from "../common/title";
import { SignInForm } from "./SignInForm";

export function SignIn() {
  useTitle("Sign in");
  return (
    <main class="signin">
      <div class="card signin-card">
        <SignInForm />
      </div>
      <p class="soft small">An open DVR server for live streams</p>
    </main>
  );
}
