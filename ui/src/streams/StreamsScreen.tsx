export function StreamsScreen() {
  return <p>not yet</p>;
}
