/** Who the person at this checkout is, as git would sign their commit. */
import { CambiumError } from '../../errors.ts';
import type { Signature } from '../../model/git.ts';
import { tryTreeGit } from './site.ts';
import type { Site } from './site.ts';

/**
 * Name and e-mail from git's configuration or environment, never guessed from the host name. `seconds` and `zone` are
 * those of now. Throws `no-identity`.
 */
export async function personAt(site: Site): Promise<Signature> {
  const said = await tryTreeGit(site, ['-c', 'user.useConfigOnly=true', 'var', 'GIT_AUTHOR_IDENT']);
  const parts = /^(.*) <([^>]*)> (\d+) ([+-]\d{4})$/.exec(said.stdout.toString('utf8').trim());
  const [, name = '', email = '', seconds = '0', zone = '+0000'] = parts ?? [];
  if (said.code === 0 && name !== '' && email !== '') return { name, email, seconds: Number(seconds), zone };
  throw new CambiumError('no-identity', 'git does not know your name and e-mail, so your edits cannot be published as yours.', {
    hint: 'Run: git config --global user.name "Your Name" && git config --global user.email you@example.org',
  });
}
