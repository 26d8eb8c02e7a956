/**
 * Lets the programs that tests start leave word of what they ran: a vitest setup file, in use when
 * `scripts/coverage.mjs` measures. Node hands NODE_V8_COVERAGE down to every child, even to one with an environment
 * of its own, and reads it only at its start: so the test process itself, which vitest measures, writes no dump.
 */
const dumps = process.env['CAMBIUM_COVERAGE_DUMPS'];
if (dumps !== undefined) process.env['NODE_V8_COVERAGE'] = dumps;
