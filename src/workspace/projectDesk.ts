/** The projects of an open clone, as its fleet's settings name them now. */
import { createProjectDesk } from '../act/project/site.ts';
import type { ProjectDesk } from '../act/project/site.ts';
import type { Session } from './session.ts';

export function projectDesk({ clone, node, fleet }: Pick<Session, 'clone' | 'node' | 'fleet'>): ProjectDesk {
  return createProjectDesk({ node, projects: () => clone.projects, config: () => fleet.config });
}
