/**
 * Whether `reason`, of a room that the server refuses, says that what it has
 * stored is damaged: no other link opens it, and to ask again is of no use.
 */
export function isDamage(reason: string): boolean {
  return reason.startsWith('damaged:');
}
