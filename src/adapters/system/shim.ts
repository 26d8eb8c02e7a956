/** `cambium` for agents: they call the very build that started them, whatever the machine's PATH says. */
import { chmod, mkdir } from 'node:fs/promises';
import { writeWhole } from './durable.ts';

/** A script below the spawn's folder that runs this build by this node. Returns the folder for PATH. */
export async function writeShim(scratch: string, cli: string): Promise<string> {
  const folder = `${scratch}/bin`;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeWhole(`${folder}/cambium`, `#!/bin/sh\nexec ${quoted(process.execPath)} ${quoted(cli)} "$@"\n`, { durable: false });
  await chmod(`${folder}/cambium`, 0o700);
  return folder;
}

export function withProgram(env: Readonly<Record<string, string>>, folder: string): Record<string, string> {
  return { ...env, PATH: env['PATH'] === undefined ? folder : `${folder}:${env['PATH']}` };
}

function quoted(path: string): string {
  return `'${path.replaceAll("'", `'\\''`)}'`;
}
