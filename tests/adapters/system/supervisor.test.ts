import { createSupervisor } from '../../../src/adapters/system/supervisor.ts';
import { bootMs } from '../../../src/adapters/system/bootClock.ts';
import { programsOf } from '../../../src/adapters/system/programs.ts';
import { supervisorContract } from '../../contracts/supervisor.ts';
import { distDir } from '../../support/build.ts';

const programs = programsOf(distDir());
supervisorContract('system', { create: () => createSupervisor({ programs }), bootMs });
