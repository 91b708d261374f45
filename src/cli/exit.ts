/** Exit codes of sysexits(3), and the one error that a command throws to end with one. */

export const EXIT = {
  ok: 0,
  checkFailed: 1,
  usage: 64,
  data: 65,
  unavailable: 69,
  software: 70,
  io: 74,
  retry: 75,
  config: 78,
  interrupted: 130,
} as const;

/** Ends the program with `exitCode`. The message says what is wrong and `fix` what to do about it; both go to stderr. */
export class CommandError extends Error {
  readonly exitCode: number;
  readonly fix: string | null;

  constructor(exitCode: number, message: string, fix: string | null = null, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CommandError';
    this.exitCode = exitCode;
    this.fix = fix;
  }
}
