/** Text of files and of other machines must not drive a person's terminal. */
export function plain(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are exactly what is removed
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');
}

/**
 * What an agent or its tools printed, fit for a terminal: whole escape sequences go, not their first byte only, and of a line
 * that was written over (a progress bar) the last writing stays. Line breaks and tabs stay.
 */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control sequences are exactly what is removed
  const quiet = text.replace(/\u001b(?:[\]PX^_][\s\S]*?(?:\u0007|\u001b\\|$)|\[[0-?]*[ -/]*[@-~]|[ -/]*[0-~])|\u009b[0-?]*[ -/]*[@-~]/g, '');
  return plain(quiet.replace(/\r\n/g, '\n').replace(/[^\n]*\r(?=[^\n])/g, '')).replace(/[\u202a-\u202e\u2066-\u2069]/g, '');
}
