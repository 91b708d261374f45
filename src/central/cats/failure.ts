/** An error of a command, with a code that says which: the API makes a status of it. */
export function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
