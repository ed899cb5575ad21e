interface TestFile {
  path: string;
}

export default class LongestFirst {
  constructor(options: object);
  sort<File extends TestFile>(tests: readonly File[]): Promise<File[]>;
}
