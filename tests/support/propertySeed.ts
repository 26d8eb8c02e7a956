/** Property tests draw from the seed that CAMBIUM_PROPERTY_SEED names: the gate asks the same of the same commit, and something new of the next. Without it each run explores anew. */
import fc from 'fast-check';

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(process.env['CAMBIUM_PROPERTY_SEED']) });
