import { bootMs } from '../../../../src/adapters/system/bootClock.ts';
import { programsOf } from '../../../../src/adapters/system/programs.ts';
import { createSupervisor } from '../../../../src/adapters/system/supervisor.ts';
import { freezeContract } from '../../../contracts/freeze.ts';
import { distDir } from '../../../support/build.ts';

const programs = programsOf(distDir());
freezeContract('system', { create: () => createSupervisor({ programs }), bootMs });
