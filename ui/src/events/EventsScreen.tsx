export function EventsScreen() {
  return <p>not yet</p>;
}
