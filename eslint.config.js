import tseslint from 'typescript-eslint'

/** Time and randomness come from the Clock and Random ports, and the process belongs to the operator's side. */
const ambient = [
  { name: 'setTimeout', message: 'Use Clock.schedule.' },
  { name: 'setInterval', message: 'Use Clock.repeat.' },
  { name: 'setImmediate', message: 'Use Clock.defer.' },
  { name: 'performance', message: 'Use Clock.now.' },
  { name: 'process', message: 'The process belongs to src/cli; take what you need as an option.' },
]
const ambientMembers = [
  { object: 'Date', property: 'now', message: 'Use Clock.wallNow.' },
  { object: 'Math', property: 'random', message: 'Use Random.' },
  { object: 'globalThis', property: 'setTimeout', message: 'Use Clock.schedule.' },
  { object: 'globalThis', property: 'setInterval', message: 'Use Clock.repeat.' },
  { object: 'globalThis', property: 'setImmediate', message: 'Use Clock.defer.' },
  { object: 'globalThis', property: 'performance', message: 'Use Clock.now.' },
  { object: 'globalThis', property: 'process', message: 'The process belongs to src/cli.' },
]
const ownersOfAmbient = [
  'src/{system,cli,config,observability,admin,mesh,storage,listeners}/**',
  'coordination/etcd/**',
  'bench/**',
  'sim/world/ambient.ts',
  'sim/calibrate/**',
  'test/**',
  'scripts/**',
  'bin/**',
]

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.grapevine/', 'coverage/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: 'error',
      'no-var': 'error',
      'prefer-const': 'error',
      'no-restricted-globals': ['error', ...ambient],
      'no-restricted-properties': ['error', ...ambientMembers],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      // A listener may answer what it calls: `onClose: () => socket.destroy()`.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      // Empty listeners are how Node says "this is handled".
      '@typescript-eslint/no-empty-function': 'off',
      // Implementations of asynchronous ports may have nothing to await.
      '@typescript-eslint/require-await': 'off',
      // An index that was checked just before.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // What a port's docs call void is handed to event emitters and reducers.
      '@typescript-eslint/no-invalid-void-type': 'off',
      // The compiler narrows fields and getters that the calls in between change.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  {
    files: ownersOfAmbient,
    rules: { 'no-restricted-globals': 'off', 'no-restricted-properties': 'off' },
  },
  {
    // Tests print what they compare.
    files: ['test/**'],
    rules: {
      '@typescript-eslint/no-base-to-string': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
)
