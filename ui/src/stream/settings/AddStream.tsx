export function AddStream() {
  return <p>not yet</p>;
}
