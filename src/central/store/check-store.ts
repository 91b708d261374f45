/** What the store promises the watchdog, so that a cat is looked at once a second and not once a second and process. */
export interface CheckStore {
  /**
   * Who may look at these cats now. Atomic for each cat over all processes: of those who ask within `everyMs` one may. The clocks of
   * their machines may differ by a minute at most. `lastMs`: when the asker was last allowed to; null where never.
   */
  claimChecks(
    wanted: readonly { readonly catId: number; readonly lastMs: number | null }[],
    nowMs: number,
    everyMs: number,
  ): Promise<ReadonlyMap<number, CheckClaim>>;
}

export type CheckClaim =
  /** It may, and nobody else has since it was last allowed to. */
  | { readonly type: 'mine' }
  /** It may, and others may have in between. */
  | { readonly type: 'others' }
  | { readonly type: 'taken'; readonly atMs: number };
