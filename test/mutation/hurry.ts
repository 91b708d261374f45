/** For mutants only: a property tries what it can in a second, and where it fails nobody needs its smallest case. */
import fc from 'fast-check';

// One that was stopped before its first case would look like a mutant that was noticed.
fc.configureGlobal({ interruptAfterTimeLimit: 1_000, endOnFailure: true });
