/** One promise that was broken: by which rule, and what shows it. */
export interface Finding {
  rule: string;
  text: string;
}
