/** The page that asks for the password: plain HTML that works without scripts. It holds no text of strangers. */

export type LoginNote = 'wrong' | 'ended' | 'none-set' | { readonly waitSeconds: number } | null;

export interface LoginView {
  readonly note: LoginNote;
  /** By TLS, or on this machine: nobody on the way can read along. */
  readonly isPrivate: boolean;
  /** A browser leaves the cookie out when another site leads here: the page asks once more by itself. */
  readonly askAgain: boolean;
}

/** What must be typed on the machine of central. */
export const SET_PASSWORD = 'collard central passwd --config central.yaml';

export function loginPage({ note, isPrivate, askAgain }: LoginView): string {
  const canLogIn = note !== 'none-set';
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <meta name="robots" content="noindex" />${askAgain ? '\n    <meta http-equiv="refresh" content="0" />' : ''}
    <title>Log in · collard</title>
    <link rel="icon" href="favicon.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="login.css" />
  </head>
  <body>
    <main>
      <p class="brand"><img src="favicon.svg" alt="" width="40" height="40" /> collard</p>
      <h1>${canLogIn ? 'Log in' : 'No password is set'}</h1>
      ${noteOf(note)}${canLogIn ? form(note, isPrivate) : ''}
    </main>
  </body>
</html>
`;
}

function noteOf(note: LoginNote): string {
  if (note === null) return '';
  if (note === 'none-set') {
    return `<p>Central can be reached from other machines, and shows nothing before it has a password. Set one on the machine
        of central:</p>
      <p><code>${SET_PASSWORD}</code></p>
      <p>Then load this page again: central need not be restarted.</p>`;
  }
  const kind = note === 'ended' ? 'class="done" role="status"' : 'class="note" role="alert"';
  return `<p id="note" ${kind}>${wordsOf(note)}</p>\n      `;
}

function wordsOf(note: Exclude<LoginNote, null | 'none-set'>): string {
  if (note === 'wrong') return 'That is not the password.';
  if (note === 'ended') return 'You are logged out.';
  const minutes = Math.ceil(note.waitSeconds / 60);
  return `Too many wrong passwords. Try again in ${minutes === 1 ? 'a minute' : `${minutes} minutes`}.`;
}

function form(note: LoginNote, isPrivate: boolean): string {
  const faulty = note === 'wrong' ? ' aria-invalid="true" aria-describedby="note"' : '';
  const warning = isPrivate
    ? ''
    : `\n        <p class="warning">This connection is not encrypted: whoever is on the way can read the password. Use https, where
          your central has it.</p>`;
  return `<form action="login" method="post">
        <label for="password">Password</label>
        <input id="password" name="password" type="password" autocomplete="current-password" required autofocus maxlength="256"${faulty} />${warning}
        <button type="submit">Log in</button>
      </form>`;
}
