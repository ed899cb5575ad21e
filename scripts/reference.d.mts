/** The pages of docs/reference/, by file name. */
export function referenceFiles(): Map<string, string>;
