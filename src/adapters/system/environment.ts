/** Environment variables, read in one place. */
export function variable(name: 'CAMBIUM_NODE' | 'CAMBIUM_AGENT' | 'NO_COLOR' | 'FORCE_COLOR' | 'TERM'): string | undefined {
  const value = process.env[name];
  return value === '' ? undefined : value;
}
