export function SettingsTab({ name }: { name: string }) {
  return <p>{name}: not yet</p>;
}
