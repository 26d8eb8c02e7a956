/** A reporter that names each test which was red first and green when it was tried again: the gate says so, and does not hide it. */
import { appendFileSync } from 'node:fs';

export default class {
  onTestCaseResult(test) {
    if (test.diagnostic()?.flaky !== true) return;
    const line = `flaky: ${test.module.relativeModuleId} > ${test.fullName}: ${test.result().errors?.[0]?.message.split('\n', 1)[0] ?? ''}`;
    process.stdout.write(`${line}\n`);
    const file = process.env.CAMBIUM_FLAKY;
    if (file !== undefined) appendFileSync(file, `${line}\n`);
  }
}
