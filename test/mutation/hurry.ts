/** For mutants only: a property tries what it can in a fraction of a second, and where it fails nobody needs its smallest case. */
import fc from 'fast-check';

fc.configureGlobal({ interruptAfterTimeLimit: 250, endOnFailure: true });
