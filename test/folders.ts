/** Folders of stores in files that a test has left. Their tests have closed them by the end of their file. */
export const FOLDERS: string[] = [];
