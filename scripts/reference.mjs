// The API reference: docs/reference/, one page for each kind, from the definitions in src/crds. Called by
// scripts/generate.mjs, and by a unit test that compares.
import { kinds } from '../src/crds/kinds.ts';
import { objectSchema } from '../src/crds/manifest.ts';
import { apiVersionOf } from '../src/crds/object.ts';

const HEAD = '<!-- Generated from src/crds by: npm run generate -->';

/**
 * The pages, by file name.
 * @returns {Map<string, string>}
 */
export function referenceFiles() {
  return new Map([['README.md', indexPage()], ...kinds.map((kind) => [pageName(kind), kindPage(kind)])]);
}

const pageName = (kind) => `${kind.singular}.md`;
const scopeOf = (kind) => (kind.namespaced ? 'in a namespace' : 'cluster-wide');

function indexPage() {
  const rows = kinds.map((kind) => [
    `[${kind.kind}](${pageName(kind)})`,
    code(kind.resource),
    kind.shortNames.map(code).join(', '),
    scopeOf(kind),
    kind.description,
  ]);
  return page(
    '# API reference',
    HEAD,
    `Group and version of all kinds: \`${apiVersionOf(kinds[0])}\`. The same text is shown by \`kubectl explain\`.`,
    table(['kind', 'resource', 'short', 'scope', 'what'], rows),
    'Also served, as Kubernetes defines them: `Namespace`, `Event`, `ConfigMap`, `Secret` (`v1`) and `Lease` (`coordination.k8s.io/v1`).',
  );
}

function kindPage(kind) {
  const { properties } = objectSchema(kind);
  return page(
    `# ${kind.kind}`,
    HEAD,
    kind.description,
    table(
      ['', ''],
      [
        ['apiVersion', code(apiVersionOf(kind))],
        ['kind', code(kind.kind)],
        ['resource', [kind.resource, kind.singular, ...kind.shortNames].map(code).join(', ')],
        ['categories', kind.categories.map(code).join(', ')],
        ['scope', scopeOf(kind)],
        ...nameRows(kind),
        ['field selectors', fieldSelectors(kind)],
      ],
    ),
    '## Columns',
    columnsTable(kind),
    '## spec',
    fieldsTable('spec', properties.spec),
    '## status',
    fieldsTable('status', properties.status),
  );
}

function nameRows({ name }) {
  return name === undefined
    ? []
    : [['metadata.name', `matches ${code(name.pattern)}, at most ${name.maxLength} characters`]];
}

function fieldSelectors({ selectableFields, namespaced }) {
  const common = namespaced ? ['metadata.name', 'metadata.namespace'] : ['metadata.name'];
  return [...common, ...selectableFields.map((path) => path.slice(1))].map(code).join(', ');
}

function columnsTable({ columns }) {
  const rows = columns.map(({ name, jsonPath, description, priority }) => [
    name.toUpperCase(),
    code(jsonPath),
    priority === 1 ? '`-o wide`' : 'always',
    description,
  ]);
  return table(['column', 'from', 'shown', 'what'], rows);
}

function fieldsTable(path, schema) {
  const rows = fieldRows(path, schema).map((field) => [
    `${code(field.path)}${field.isRequired ? ' *(required)*' : ''}`,
    typeOf(field.schema),
    field.schema.default === undefined ? '' : code(JSON.stringify(field.schema.default)),
    [plainText(field.schema.description ?? ''), limitsOf(field.schema)]
      .filter((part) => part !== '')
      .join(' '),
  ]);
  return page(schema.description ?? '', table(['field', 'type', 'default', 'what'], rows)).trimEnd();
}

function fieldRows(path, schema) {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const own = `${path}.${name}`;
    return [{ path: own, schema: property, isRequired: required.has(name) }, ...nestedRows(own, property)];
  });
}

/** The fields below lists are written `path[].field`, those below maps `path.*.field`. */
function nestedRows(path, schema) {
  if (schema.items?.properties !== undefined) return fieldRows(`${path}[]`, schema.items);
  if (schema.additionalProperties?.properties !== undefined) {
    return fieldRows(`${path}.*`, schema.additionalProperties);
  }
  return fieldRows(path, schema);
}

function typeOf(schema) {
  if (schema['x-kubernetes-int-or-string'] === true) {
    return schema.pattern.includes('%') ? 'number or percentage' : 'quantity';
  }
  if (schema.enum !== undefined) return schema.enum.map(code).join(', ');
  if (schema.type === 'array') return `list of ${pluralOf(schema.items)}`;
  if (schema.additionalProperties !== undefined) return `map of ${pluralOf(schema.additionalProperties)}`;
  if (schema.format === 'date-time') return 'time';
  return schema.type;
}

function pluralOf(schema) {
  return schema.enum === undefined ? `${typeOf(schema)}s` : typeOf(schema);
}

function limitsOf(schema) {
  const limits = [];
  if (schema.pattern !== undefined && schema['x-kubernetes-int-or-string'] !== true) {
    limits.push(`Matches ${code(schema.pattern)}.`);
  }
  if (schema.minimum !== undefined) limits.push(`At least ${schema.minimum}.`);
  if (schema.minLength > 1) limits.push(`At least ${schema.minLength} characters.`);
  if (schema.minLength === 1) limits.push('Not empty.');
  if (schema.maxLength !== undefined) limits.push(`At most ${schema.maxLength} characters.`);
  const keys = schema['x-kubernetes-list-map-keys'];
  if (keys !== undefined) limits.push(`One of each ${keys.join(' and ')}.`);
  return limits.join(' ');
}

/** Angle brackets would be read as HTML. */
const plainText = (text) => text.replaceAll('<', '&lt;');
/** A bar ends a table's cell even inside of code, unless it is escaped. */
const escaped = (text) => text.replaceAll('|', '\\|');
const code = (text) => `\`${text}\``;
const row = (cells) => `| ${cells.map((cell) => escaped(String(cell))).join(' | ')} |`;

function table(head, rows) {
  return [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');
}

const page = (...parts) => `${parts.filter((part) => part !== '').join('\n\n')}\n`;
