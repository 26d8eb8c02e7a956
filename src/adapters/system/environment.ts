/** Environment variables, read in one place. */

export type Variable = 'CAMBIUM_NODE' | 'CAMBIUM_AGENT' | 'CAMBIUM_TASK' | 'CAMBIUM_SPAWN' | 'CAMBIUM_REQUEST' | 'CAMBIUM_RESULT_FILE' | 'CAMBIUM_CHAIN' | 'CAMBIUM_HOPS' | 'CAMBIUM_THREAD' | 'NO_COLOR' | 'FORCE_COLOR' | 'TERM';

export function variable(name: Variable): string | undefined {
  const value = process.env[name];
  return value === '' ? undefined : value;
}

/** A variable of a name that cambium.yaml gives (`${NAME}` in a provider's `env`). */
export function namedVariable(name: string): string | undefined {
  return process.env[name];
}
